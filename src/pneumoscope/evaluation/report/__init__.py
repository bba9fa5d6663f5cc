"""What people read of an evaluation: the report, the model card, the reporting guidelines. No script, no request."""
