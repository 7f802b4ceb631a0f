"""The Teams edge. Only here is the Bot Framework SDK known."""
