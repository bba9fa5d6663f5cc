"""Handing results to other systems: FHIR servers, HL7 receivers."""
