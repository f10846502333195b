"""One module for each step of the schema, forwards and back."""
