"""Report of participants whose rows one party holds: a simulation, a cohort, a clinic's own."""
