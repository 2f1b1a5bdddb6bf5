"""A cohort to a store: plan what is missing, run it, commit it."""
