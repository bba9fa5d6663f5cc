"""From a manifest to a bundle: learning, calibration, export; ensembles, baselines, search, site calibration."""
