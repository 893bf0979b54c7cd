"""Pictures of a run's results: contact sheets and plots."""
