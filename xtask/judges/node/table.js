// The rows of a table of judgments, as the chore prints them.
'use strict';

/** Makes the checks one after the other, and prints a row for each: "CLIENT | CHECK | ok", or what was wrong. */
module.exports = async function table(client, checks) {
  for (const check of checks) {
    const what = check.name.replaceAll(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`);
    let said = 'ok';
    try {
      await check();
    } catch (error) {
      process.exitCode = 1;
      const text = `${error.name}: ${error.message}`.replaceAll(/\s+/gu, ' ').replaceAll('|', '\\|');
      said = `FAILED: ${text.slice(0, 300)}`;
      console.error(error);
    }
    console.log(`${client} | ${what} | ${said}`);
  }
};
