"""The types that everything speaks in: radiograph, reading, evidence, codes. No input or output here."""
