"""Reading films: bundles, queue, jobs."""
