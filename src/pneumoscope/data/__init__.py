"""From labelled films to a manifest, a split by patient, and a cache of decoded films."""
