"""Where Cuadrilla meets the outside: settings, the wiring, and the programs people and machines talk to."""
