'use strict';

// `node --test tests/shim/` collects the tests of a folder up to Node 20; a newer Node loads this file instead.
require('./manifest.test.js');
require('./shim.test.js');
