"""Stage review: which photographs a person should look at."""
