"""The generic resource engine: what Google's standard methods mean, for every resource alike."""
