"""Learning pixel affinity from confident pseudo-labels (AffinityNet)."""
