# Runs a night at 02:30 by the Task Scheduler. Written from Microsoft's documentation; its syntax is checked, and the
# Task Scheduler itself was not tried.
# In a PowerShell opened as administrator; DOMAIN\svc-monitor is an account of its own that may log on as a batch job.
$monitor = '@MONITOR@'
$folder = '@FOLDER@'
$account = Read-Host "Account, like DOMAIN\svc-monitor"
$password = Read-Host "Its password" -AsSecureString
$plain = (New-Object System.Management.Automation.PSCredential($account, $password)).GetNetworkCredential().Password

# The account reads this folder, and owns the data folder, which is open to it, the system (S-1-5-18) and administrators
# (S-1-5-32-544), and to nobody else.
New-Item -ItemType Directory -Force "$folder\data" | Out-Null
icacls "$folder" /grant "${account}:(OI)(CI)RX"
icacls "$folder\data" /setowner "$account" /T /C /Q
icacls "$folder\data" /inheritance:r /grant:r "${account}:(OI)(CI)F" "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"

$action = New-ScheduledTaskAction -Execute $monitor -Argument "run --config `"$folder\monitor.toml`"" -WorkingDirectory "$folder\data"
$purge = New-ScheduledTaskAction -Execute $monitor -Argument "purge --config `"$folder\monitor.toml`"" -WorkingDirectory "$folder\data"
$trigger = New-ScheduledTaskTrigger -Daily -At 02:30
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew -ExecutionTimeLimit (New-TimeSpan -Hours 4)
Register-ScheduledTask -TaskName "Care-leaver monitor" -Action $purge, $action -Trigger $trigger -Settings $settings -User $account -Password $plain
