"""A run's tokens: what a loss did at the samples that a trainer really drew."""
