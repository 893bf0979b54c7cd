"""Stage report: pictures of the results."""
