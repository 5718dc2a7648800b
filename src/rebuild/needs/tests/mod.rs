mod made;
mod real;
