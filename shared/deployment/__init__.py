"""What server and node must agree on before they first meet: names, files and fingerprints."""
