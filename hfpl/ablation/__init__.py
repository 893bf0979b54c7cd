"""Ablation: variants over several seeds, compared with their methods' own baselines."""
