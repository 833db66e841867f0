"""Labels, experiments and models: simulated creators, injected campaigns, data sets, metrics, gates and tracking."""
