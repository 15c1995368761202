'use strict';

// Publishes nothing: it fails if there is nothing to publish.
const size = require('node:fs').statSync(process.env.INPUT_TARGETPATH).size;
console.log(`would publish ${size} bytes as ${process.env.INPUT_ARTIFACT}`);
