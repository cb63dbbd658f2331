// SPDX-License-Identifier: MIT
// Makes a single-file program of a folder, with the SDK's own bundler, so that no pack has to be downloaded.
// Arguments: HOST (the SDK's singlefilehost) FOLDER (the assemblies and *.json) NAME (of the program, and of its .dll) OUT.
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using Microsoft.NET.HostModel.AppHost;
using Microsoft.NET.HostModel.Bundle;

string host = args[0], folder = args[1], name = args[2], output = args[3];

Directory.CreateDirectory(output);
string bound = Path.Combine(output, name + ".host");
HostWriter.CreateAppHost(host, bound, name + ".dll");

List<FileSpec> files = new List<FileSpec> { new FileSpec(bound, name) };
foreach (string file in Directory.GetFiles(folder))
    files.Add(new FileSpec(file, Path.GetFileName(file)));
new Bundler(name, output, BundleOptions.None, OSPlatform.Linux, Architecture.X64).GenerateBundle(files);
File.Delete(bound);
