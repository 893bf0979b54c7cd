"""Random walk of class activation maps over learnt pixel affinities."""
