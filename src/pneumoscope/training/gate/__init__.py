"""How the shipped gate was learned: what it must refuse is drawn, or made from films."""
