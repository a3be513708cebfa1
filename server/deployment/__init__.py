"""The coordinator's server as it is set up: its folder, its certificates, the clinics it knows."""
