// Looks at pages of an audit in a real Chromium as axe-core does, wide and narrow, light and dark, and with scripts off. A row for each:
// "judge | what | ok", or what is wrong. Arguments: the browser, then pairs of a name and a file.
'use strict';

const fs = require('node:fs');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const JUDGE = `axe-core ${require('axe-core/package.json').version}`;
const WIDTHS = [1280, 390];

async function main([executablePath, ...pages]) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const judge = `${JUDGE}, Chromium ${browser.version()}`;
  let isGood = true;
  for (let at = 0; at < pages.length; at += 2) {
    for (const width of WIDTHS) {
      for (const colorScheme of ['light', 'dark']) {
        for (const scripts of width === WIDTHS[0] && colorScheme === 'light' ? [true, false] : [true]) {
          const faults = await look(browser, pages[at + 1], { width, colorScheme, scripts });
          isGood = isGood && faults.length === 0;
          const how = `${pages[at]}, ${width} px, ${colorScheme}${scripts ? '' : ', scripts off'}`;
          console.log(`${judge} | ${how} | ${faults.join('; ') || 'ok'}`);
        }
      }
    }
  }
  await browser.close();
  process.exitCode = isGood ? 0 : 1;
}

/** What is wrong with a page at one width, in one scheme of colors: closed as it comes, then with everything opened. */
async function look(browser, file, { width, colorScheme, scripts }) {
  // axe-core is put into the page, whose own policy allows no script but its own.
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  const page = await context.newPage();
  const faults = [];
  const address = pathToFileURL(file).href;
  page.on('request', (request) => request.url() === address || faults.push(`asks for ${request.url()}`));
  page.on('console', (message) => faults.push(`says ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`fails with ${error}`));
  if (!scripts) {
    const body = fs.readFileSync(file, 'utf8').replace(/<script>[\s\S]*?<\/script>/gu, '');
    await page.route('**', (route) => route.fulfill({ body, contentType: 'text/html' }));
  }
  await page.goto(address);
  await page.addScriptTag({ content: AXE });
  for (const state of ['closed', 'opened']) {
    if (state === 'opened') {
      await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
    }
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, nodes } of violations) {
      faults.push(`${state}: ${id}, ${nodes.length} times, first ${nodes[0].html.slice(0, 200).replaceAll('|', '\\|')}`);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) {
      faults.push(`${state}: is ${wide} px wide`);
    }
  }
  await context.close();
  return faults;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
