"""How the shipped lung-field network was learned."""
