"""Re-calibrating a bundle on the films of one site. Needs no torch."""
