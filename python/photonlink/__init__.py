"""photonlink."""
