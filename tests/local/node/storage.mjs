// What Node's official client does, step by step; prints one JSON object of results.
import {Storage, TransferManager} from '@google-cloud/storage';
import fs from 'node:fs';

const storage = new Storage({projectId: 'tuneline-local'});
const [bucket] = await storage.createBucket('node-bucket', {location: 'europe-west4'});
const big = Buffer.alloc(3 << 20, 7);
const found = {};

await bucket.file('a/b é.txt').save('hello', {resumable: false, metadata: {metadata: {k: 'v'}}});
await bucket.file('big').save(big, {resumable: true});
await bucket.file('chunked').save(big, {resumable: true, chunkSize: 1 << 20});
found.text = (await bucket.file('a/b é.txt').download())[0].toString();
found.big = (await bucket.file('big').download())[0].equals(big);
found.chunked = (await bucket.file('chunked').download())[0].equals(big);
found.range = (await bucket.file('big').download({start: 5, end: 9}))[0].length;
found.metadata = (await bucket.file('a/b é.txt').getMetadata())[0].metadata;
found.missing = (await bucket.file('nothing').exists())[0];
await bucket.file('big').copy(bucket.file('copy'));
await bucket.file('copy').move('moved');
await bucket.file('moved').moveFileAtomic('moved-again');
await bucket.combine(['big', 'moved-again'], 'combined');
found.components = (await bucket.file('combined').getMetadata())[0].componentCount;
found.taken = await bucket.file('big').save('x', {resumable: false, preconditionOpts: {ifGenerationMatch: 0}})
  .then(() => 'written', error => error.code);
await bucket.file('packed').save('z'.repeat(9999), {gzip: true, resumable: false});
found.packed = (await bucket.file('packed').download())[0].length;
if (!process.env.STORAGE_EMULATOR_HOST) { // with it, the client builds the host BUCKET.127.0.0.1, which is no URL
  fs.writeFileSync(process.argv[2], Buffer.alloc(12 << 20, 3));
  await new TransferManager(bucket).uploadFileInChunks(process.argv[2], {chunkSizeBytes: 5 << 20, uploadName: 'parts'});
  found.parts = (await bucket.file('parts').getMetadata())[0].size;
}
await bucket.file('big').makePublic();
found.acl = (await bucket.file('big').acl.get())[0].map(entry => `${entry.entity}:${entry.role}`).slice(-1);
found.permissions = (await bucket.iam.testPermissions(['storage.objects.get']))[0];
await bucket.setMetadata({versioning: {enabled: true}});
await bucket.setLabels({a: 'b'});
found.labels = (await bucket.getLabels())[0];
found.listed = (await bucket.getFiles({delimiter: '/', autoPaginate: false}))[2].prefixes;
found.buckets = (await storage.getBuckets())[0].map(each => each.name).sort();
await bucket.deleteFiles({versions: true});
await bucket.delete();
found.gone = (await bucket.exists())[0];
console.log(JSON.stringify(found));
