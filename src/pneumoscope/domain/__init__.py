"""The nouns of the house: what a film, a reading and its evidence are. No input or output here."""
