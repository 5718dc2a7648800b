mod layers;
mod links;
mod model;
mod property;
mod views;
