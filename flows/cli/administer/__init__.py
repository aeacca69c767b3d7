"""Commands about the installation: demo, drills, repair, the Prefect password."""
