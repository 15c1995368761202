"""Makes the wheel of the stand-in for az's extension `ml`, and serves it with an index as az's own is: `index.py WHEEL`."""

import hashlib
import http.server
import json
import pathlib
import sys
import zipfile

NAME, VERSION = 'ml', '0.0.1'
METADATA = f'Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\nSummary: A stand-in\n'
WHEEL = 'Wheel-Version: 1.0\nGenerator: index.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n'

here = pathlib.Path(__file__).parent
wheel = pathlib.Path(sys.argv[1])
files = {f'{path.parent.name}/{path.name}': path.read_text('utf-8') for path in here.glob('azext_*/*.*')}
about = f'{NAME}-{VERSION}.dist-info'
files |= {f'{about}/METADATA': METADATA, f'{about}/WHEEL': WHEEL}
files[f'{about}/RECORD'] = ''.join(f'{name},,\n' for name in [*files, f'{about}/RECORD'])
with zipfile.ZipFile(wheel, 'w') as archive:
    for name, text in files.items():
        archive.writestr(name, text)
content = wheel.read_bytes()


class Index(http.server.BaseHTTPRequestHandler):
    """The index at `/index.json`, and the wheel at every other path."""

    def do_GET(self):  # pylint: disable=invalid-name
        host, port = self.server.server_address
        extension = {
            'downloadUrl': f'http://{host}:{port}/{wheel.name}',
            'filename': wheel.name,
            'sha256Digest': hashlib.sha256(content).hexdigest(),
            'metadata': {'name': NAME, 'version': VERSION, 'azext.minCliCoreVersion': '2.60.0'},
        }
        index = json.dumps({'formatVersion': '1', 'extensions': {NAME: [extension]}}).encode()
        body = index if self.path == '/index.json' else content
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Index)
print(f'The index listens on http://127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
