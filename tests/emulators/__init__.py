"""The emulators that the tests of the vendors' toolkits speak with: `package.json` pins them."""
