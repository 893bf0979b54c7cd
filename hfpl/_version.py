"""The version, apart from the package: a new one is no edit of the jobs' code."""

VERSION = "0.2.0"
