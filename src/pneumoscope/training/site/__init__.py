"""Re-calibrating a bundle on the films of one site. Needs no torch: a hospital without it can do this."""
