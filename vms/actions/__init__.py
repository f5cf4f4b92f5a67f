"""The verbs: each locks, authorises, requires, changes, saves, projects and records; nobody else writes."""
