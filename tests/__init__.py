"""The tests. They lie as the package's rooms do; what several of them need is in `browser/`."""
