"""Types that the sections of the parameters share."""
