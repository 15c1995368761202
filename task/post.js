'use strict';

// The agent names a stage by the file it starts, and by nothing else.
require('./index.js').run('post');
