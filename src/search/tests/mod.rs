mod content;
mod paths;
