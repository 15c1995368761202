'use strict';

// The same shim as the other task's, which is packed beside this file, starts another program.
require('./index.js').run('run', 'wif-operator');
