"""The Teams app package: template, icons, and what makes and checks them."""
