"""Environment -> Settings, policy file -> Policy, and the pages that document both. Refuses unsafe sets."""
