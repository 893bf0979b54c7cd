"""A batch that several processes share."""
