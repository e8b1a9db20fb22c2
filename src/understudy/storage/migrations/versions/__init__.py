"""One file a revision, named by its number: 0001_…, 0002_…, each following the one before."""
