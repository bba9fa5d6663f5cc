"""The bundle and the reader: preprocessing, the graph, calibration, decision, evidence."""
