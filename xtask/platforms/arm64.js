'use strict';

// Loaded before the shim: what `process.arch` is where the program under test is at home.
Object.defineProperty(process, 'arch', { value: 'arm64' });
