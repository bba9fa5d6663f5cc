"""The parts of a judgement, one file each; ``pneumoscope.evaluation.judge`` puts them together."""
